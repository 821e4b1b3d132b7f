"""An edge made with gRPC's C core and Google's protobuf: it registers with a broker and replicates.

JSON lines on standard input:
{"do": "register", "edge": "plant", "topics": ["/plant/a"]},
{"do": "heartbeat", "edge": "plant", "version": 1},
{"do": "open"}, {"do": "replicate", "topic": "/plant/a", "payloads": ["…"], "last": 7},
{"do": "finish"}. Acks are printed as they come.
"""

import argparse
import asyncio
import json
import sys
import time

import grpc
from danube.proto import DanubeApi_pb2 as api
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

SERVICE = "/danube.edge.EdgeReplicatorService/"


def emit(event, **fields):
    sys.stdout.write(json.dumps({"event": event, **fields}) + "\n")
    sys.stdout.flush()


def messages():
    """The messages of the package danube.edge that an edge needs, as classes."""
    types = descriptor_pb2.FieldDescriptorProto
    file = descriptor_pb2.FileDescriptorProto(
        name="edge.proto", package="danube.edge", syntax="proto3",
        dependency=[api.DESCRIPTOR.name])

    def add(name, *fields):
        message = file.message_type.add(name=name)
        for number, field, kind in fields:
            label = types.LABEL_OPTIONAL
            if isinstance(kind, list):
                label, kind = types.LABEL_REPEATED, kind[0]
            entry = message.field.add(name=field, number=number, label=label)
            if isinstance(kind, str):
                entry.type, entry.type_name = types.TYPE_MESSAGE, kind
            else:
                entry.type = kind

    string, number, flag = types.TYPE_STRING, types.TYPE_UINT64, types.TYPE_BOOL
    add("Declaration", (1, "topic_name", string))
    add("Register", (1, "edge_name", string), (2, "topics", [".danube.edge.Declaration"]))
    add("Result", (1, "topic_name", string), (2, "topic_created", flag), (5, "error", string))
    add("Registered", (1, "success", flag), (3, "config_version", number),
        (4, "topics", [".danube.edge.Result"]))
    add("Heartbeat", (1, "edge_name", string), (2, "config_version", number))
    add("Beaten", (1, "changed", flag), (2, "config_version", number))
    add("Batch", (1, "topic_name", string), (2, "messages", [".danube.StreamMessage"]),
        (3, "batch_last_offset", number))
    add("Ack", (1, "topic_name", string), (2, "acked_offset", number))
    pool = descriptor_pool.Default()
    pool.Add(file)
    return lambda name: message_factory.GetMessageClass(
        pool.FindMessageTypeByName("danube.edge." + name))


async def unary(channel, method, request, response):
    call = channel.unary_unary(
        SERVICE + method, request_serializer=lambda message: message.SerializeToString(),
        response_deserializer=response.FromString)
    return await call(request)


async def acks(call):
    try:
        async for ack in call:
            emit("ack", topic=ack.topic_name, offset=ack.acked_offset)
    except grpc.aio.AioRpcError:
        pass
    emit("ended", code=(await call.code()).name, details=await call.details())


def batch(make, command):
    content = make("Batch")(
        topic_name=command["topic"], batch_last_offset=command["last"])
    for payload in command["payloads"]:
        message = content.messages.add(
            payload=payload.encode(), publish_time=int(time.time() * 1000),
            producer_name="edge", attributes={"from": "edge"}, routing_key="k")
        message.msg_id.topic_name = command["topic"]
    return content


async def main(options):
    make = messages()
    host = options.url.split("//")[1]
    async with grpc.aio.insecure_channel(host) as channel:
        reader = asyncio.StreamReader(limit=1 << 26)
        await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
        call = None
        while line := await reader.readline():
            command = json.loads(line)
            try:
                if command["do"] == "register":
                    answer = await unary(
                        channel, "RegisterEdge",
                        make("Register")(
                            edge_name=command["edge"],
                            topics=[{"topic_name": name} for name in command["topics"]]),
                        make("Registered"))
                    emit("registered", offset=answer.config_version,
                         details=json.dumps([topic.error for topic in answer.topics]))
                elif command["do"] == "heartbeat":
                    answer = await unary(
                        channel, "EdgeHeartbeat",
                        make("Heartbeat")(
                            edge_name=command["edge"], config_version=command["version"]),
                        make("Beaten"))
                    emit("beaten", offset=answer.config_version)
                elif command["do"] == "open":
                    call = channel.stream_stream(
                        SERVICE + "ReplicateData",
                        request_serializer=lambda message: message.SerializeToString(),
                        response_deserializer=make("Ack").FromString)()
                    asyncio.create_task(acks(call))
                    emit("opened")
                elif command["do"] == "replicate":
                    await call.write(batch(make, command))
                else:
                    await call.done_writing()
            except grpc.aio.AioRpcError as error:
                emit("failed", code=error.code().name, details=error.details())
            except asyncio.InvalidStateError:
                pass  # The call ended: `ended` says so.


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--url", required=True)
    asyncio.run(main(parser.parse_args()))
