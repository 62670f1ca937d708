"""Start a server with the toy model; says its port on stdout. Options come as JSON."""

import json
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

from toy_served import toy_model

from fivefold.deploy.server import Served, Settings, app_of, opened, read_keys, serve


def main(options: dict[str, Any]) -> None:
    keys = read_keys(Path(options.pop("keys"))) if "keys" in options else {}
    pause = options.pop("pause", 0.0)
    settings = Settings(name="toy", **options)
    app, batcher = app_of(Served(model=toy_model(), settings=settings, keys=keys))
    work = batcher.work

    def slow(x: Any) -> Any:
        time.sleep(pause)
        return work(x)

    batcher.work = slow if pause else work
    door = opened("127.0.0.1", 0)
    sys.stdout.write(f"{door.getsockname()[1]}\n")
    sys.stdout.flush()
    serve(app, door)


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
