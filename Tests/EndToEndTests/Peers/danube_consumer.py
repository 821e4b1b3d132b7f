"""A consumer made with the official Python client of Danube.

It prints every message as a JSON line, and acknowledges at once (--auto-ack) or as JSON lines on
standard input say: {"do": "ack", "offset": 7}, {"do": "nack", "offset": 7, "delay_ms": 100},
{"do": "close"}.
"""

import argparse
import asyncio
import base64
import json
import sys
import time

import grpc

from danube import DanubeClientBuilder, SubType


def emit(event, **fields):
    sys.stdout.write(json.dumps({"event": event, **fields}) + "\n")
    sys.stdout.flush()


def describe(message):
    return {
        "payload": base64.b64encode(message.payload).decode(),
        "topic": message.msg_id.topic_name,
        "offset": message.msg_id.topic_offset,
        "attributes": dict(message.attributes),
        "routing_key": message.routing_key if message.HasField("routing_key") else None,
        "publish_time": message.publish_time,
        "producer": message.producer_name,
        "subscription": message.subscription_name,
        "received_time": int(time.time() * 1000),
    }


async def commands(consumer, held, done):
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := await reader.readline():
        command = json.loads(line)
        if command["do"] == "close":
            break
        message = held[command["offset"]]
        if command["do"] == "ack":
            await consumer.ack(message)
        else:
            await consumer.nack(message, command.get("delay_ms"), "asked by the test")
        emit(command["do"] + "ed", offset=command["offset"])
    done.set()


async def receive(consumer, queue, held, auto_ack):
    while True:
        message = await queue.get()
        held[message.msg_id.topic_offset] = message
        if auto_ack:
            await consumer.ack(message)
        emit("message", **describe(message))


async def main(options):
    client = DanubeClientBuilder().service_url(options.url)
    if options.ca_file:
        client = client.with_tls(options.ca_file)
    if options.token:
        client = client.with_token(options.token)
    client = await client.build()
    builder = (
        client.new_consumer()
        .with_topic(options.topic)
        .with_consumer_name(options.name)
        .with_subscription(options.subscription)
        .with_subscription_type(SubType[options.type.upper()])
    )
    if options.filter:
        builder = builder.with_key_filters(options.filter)
    consumer = builder.build()
    try:
        await consumer.subscribe()
    except grpc.aio.AioRpcError as error:
        emit("failed", code=error.code().name, details=error.details())
        return
    except Exception as error:
        emit("failed", code=type(error).__name__, details=str(error))
        return
    queue = await consumer.receive()
    held, done = {}, asyncio.Event()
    emit("subscribed")
    tasks = [
        asyncio.create_task(receive(consumer, queue, held, options.auto_ack)),
        asyncio.create_task(commands(consumer, held, done)),
    ]
    waiting = asyncio.create_task(done.wait())
    finished, _ = await asyncio.wait(
        [waiting, *tasks], return_when=asyncio.FIRST_COMPLETED)
    for task in finished - {waiting}:
        task.result()  # Shows what went wrong.
    await consumer.close()
    emit("closed")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--url", required=True)
    parser.add_argument("--topic", required=True)
    parser.add_argument("--name", required=True)
    parser.add_argument("--ca-file")
    parser.add_argument("--token")
    parser.add_argument("--subscription", required=True)
    parser.add_argument("--type", choices=["shared", "exclusive", "failover", "key_shared"],
                        default="shared")
    parser.add_argument("--filter", action="append", default=[])
    parser.add_argument("--auto-ack", action="store_true")
    asyncio.run(main(parser.parse_args()))
