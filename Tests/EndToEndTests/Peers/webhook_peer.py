"""An HTTP/1.1 server for webhooks that is not always kind.

Posts to /hooks/NAME are accepted with 202 and their bodies printed, except that of every ten
requests one is answered with 503 and Retry-After, and one by closing the connection. Everything
else is answered with 404.
"""

import argparse
import asyncio
import sys

ANSWERS = {
    "accepted": b"HTTP/1.1 202 Accepted\r\ncontent-length: 2\r\n\r\n{}",
    "chunked": b"HTTP/1.1 202 Accepted\r\ntransfer-encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
    "busy": b"HTTP/1.1 503 Busy\r\nretry-after: 1\r\ncontent-length: 0\r\n\r\n",
    "unknown": b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n",
}
seen = 0


def answer(path, headers, body):
    """The name of the answer; None closes the connection."""
    global seen
    if not path.startswith("/hooks/") or headers.get("x-site") != "hall":
        return "unknown"
    seen += 1
    if seen % 10 == 3:
        return "busy"
    if seen % 10 == 6:
        return None
    sys.stdout.write(body.decode() + "\n")
    sys.stdout.flush()
    return "chunked" if seen % 10 == 9 else "accepted"


async def serve(reader, writer):
    try:
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
            method, path, version = head[0].split(" ")
            assert (method, version) == ("POST", "HTTP/1.1"), head[0]
            headers = {
                name.lower(): value.strip()
                for name, value in (line.split(":", 1) for line in head[1:] if line)
            }
            assert headers["content-type"] == "application/json", headers
            body = await reader.readexactly(int(headers["content-length"]))
            name = answer(path, headers, body)
            if name is None:
                break
            writer.write(ANSWERS[name])
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    writer.close()


async def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    port = parser.parse_args().port
    server = await asyncio.start_server(serve, "127.0.0.1", port)
    async with server:
        await server.serve_forever()


asyncio.run(main())
