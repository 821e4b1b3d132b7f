"""A producer made with the official Python client of Danube.

JSON lines on standard input: {"do": "send", "payload": "…", "key": "…", "attributes": {…}} and
{"do": "flood", "keys": 20, "count": 100}, which sends `count` messages of every key, the keys side
by side.
"""

import argparse
import asyncio
import json
import sys

import grpc

from danube import DanubeClientBuilder, DispatchStrategy
from danube.errors import UnrecoverableError


def emit(event, **fields):
    sys.stdout.write(json.dumps({"event": event, **fields}) + "\n")
    sys.stdout.flush()


async def flood_key(producer, key, count):
    for number in range(count):
        await producer.send_with_key(f"{key} {number}".encode(), {"number": str(number)}, key)


async def serve(producer):
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := await reader.readline():
        command = json.loads(line)
        if command["do"] == "flood":
            await asyncio.gather(*[
                flood_key(producer, f"key-{key}", command["count"])
                for key in range(command["keys"])
            ])
            emit("flooded")
            continue
        payload, attributes = command["payload"].encode(), command.get("attributes")
        if "key" in command:
            request = await producer.send_with_key(payload, attributes, command["key"])
        else:
            request = await producer.send(payload, attributes)
        emit("sent", request=request, payload=command["payload"])


async def main(options):
    client = DanubeClientBuilder().service_url(options.url)
    if options.ca_file:
        client = client.with_tls(options.ca_file)
    if options.token:
        client = client.with_token(options.token)
    client = await client.build()
    builder = (
        client.new_producer()
        .with_topic(options.topic)
        .with_name(options.name)
        .with_dispatch_strategy(DispatchStrategy[options.strategy.upper()])
    )
    if options.partitions:
        builder = builder.with_partitions(options.partitions)
    producer = builder.build()
    try:
        await producer.create()
        emit("created")
        await serve(producer)
    except grpc.aio.AioRpcError as error:
        emit("failed", code=error.code().name, details=error.details())
    except UnrecoverableError as error:
        emit("failed", code=type(error).__name__, details=str(error))
    await producer.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--url", required=True)
    parser.add_argument("--topic", required=True)
    parser.add_argument("--name", required=True)
    parser.add_argument("--ca-file")
    parser.add_argument("--token")
    parser.add_argument("--strategy", choices=["reliable", "non_reliable"], default="reliable")
    parser.add_argument("--partitions", type=int)
    asyncio.run(main(parser.parse_args()))
