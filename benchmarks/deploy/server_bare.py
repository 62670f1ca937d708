"""The bare model behind the same HTTP stack: uvicorn, uvloop, httptools, fast JSON, a worker thread; no guards."""

import asyncio
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import torch
import uvicorn
from pydantic_core import from_json, to_json
from server_model import answer, load

torch.set_num_threads(1)
net = load(Path(sys.argv[1]))
pool = ThreadPoolExecutor(1)


async def app(scope, receive, send):
    if scope["type"] != "http":
        return
    body, more = b"", True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    if scope["method"] == "GET":
        told = b"{}"
    else:
        loop = asyncio.get_running_loop()
        told = to_json(await loop.run_in_executor(pool, answer, net, from_json(body)))
    head = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(told))]
    await send({"type": "http.response.start", "status": 200, "headers": head})
    await send({"type": "http.response.body", "body": told})


uvicorn.run(
    app, port=int(sys.argv[2]), http="httptools", loop="uvloop", access_log=False,
    log_level="error", lifespan="off", server_header=False, date_header=False,
)  # fmt: skip
