"""The same model served by LitServe, with its own batching."""

import sys
from pathlib import Path

import litserve
import torch

sys.path.insert(0, str(Path(__file__).parent))
from server_model import batch, load


class Digits(litserve.LitAPI):
    def setup(self, device):
        torch.set_num_threads(1)
        self.net = load(Path(sys.argv[1]))

    def decode_request(self, request):
        one = request["inputs"][0]
        return torch.tensor(one["data"], dtype=torch.float32).view(1, 1, 8, 8)

    def batch(self, inputs):
        return torch.cat(inputs)

    def predict(self, x):
        return batch(self.net, x)

    def unbatch(self, output):
        return list(output)

    def encode_response(self, output):
        return {"outputs": [{"name": "probabilities", "data": output.tolist()}]}


if __name__ == "__main__":
    api = Digits(max_batch_size=32, batch_timeout=0.001, api_path="/infer")
    server = litserve.LitServer(api, accelerator="cpu")
    server.run(
        port=int(sys.argv[2]), generate_client_file=False, log_level="error", access_log=False
    )
