"""The same model served by LitServe with its own batching: server_litserve.py FOLDER PORT BATCH SECONDS."""

import sys
from pathlib import Path

import litserve
import torch

sys.path.insert(0, str(Path(__file__).parent))
from server_model import batch, load

SIZE, PATIENCE = int(sys.argv[3]), float(sys.argv[4])


class Digits(litserve.LitAPI):
    def setup(self, device):
        torch.set_num_threads(1)
        self.net = load(Path(sys.argv[1]))

    def decode_request(self, request):
        one = request["inputs"][0]
        return torch.tensor(one["data"], dtype=torch.float32).view(one["shape"])

    def batch(self, inputs):
        return torch.cat(inputs)

    def predict(self, x):
        return batch(self.net, x)

    def unbatch(self, output):
        return list(output)

    def encode_response(self, output):
        return {"outputs": [{"name": "probabilities", "data": output.flatten().tolist()}]}


if __name__ == "__main__":
    api = Digits(max_batch_size=SIZE, batch_timeout=PATIENCE, api_path="/infer")
    server = litserve.LitServer(api, accelerator="cpu", workers_per_device=1)
    server.run(
        port=int(sys.argv[2]), generate_client_file=False, log_level="error", access_log=False
    )
