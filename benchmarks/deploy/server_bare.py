"""The bare model behind the same HTTP stack, in the plainest way: no guards, no batching, no records.

An ASGI application under uvicorn with uvloop and httptools, as Fivefold's server is. Each request: read the
body, `pydantic_core.from_json`, `torch.tensor`, `net(x)` under inference mode, softmax, `pydantic_core.to_json`.
The model is called where the second argument says: in the event loop ("inline"), or in one worker thread
("thread").
"""

import asyncio
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import torch
import uvicorn
from pydantic_core import from_json, to_json
from server_model import answer, load

torch.set_num_threads(1)
folder, port, place = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
net = load(folder)
pool = ThreadPoolExecutor(1)


async def app(scope, receive, send):
    if scope["type"] != "http":
        return
    body, more = b"", True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    asked = from_json(body)
    if place == "inline":
        told = to_json(answer(net, asked))
    else:
        told = to_json(await asyncio.get_running_loop().run_in_executor(pool, answer, net, asked))
    head = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(told))]
    await send({"type": "http.response.start", "status": 200, "headers": head})
    await send({"type": "http.response.body", "body": told})


uvicorn.run(
    app, port=port, http="httptools", loop="uvloop", access_log=False,
    log_level="error", lifespan="off", server_header=False, date_header=False,
)  # fmt: skip
