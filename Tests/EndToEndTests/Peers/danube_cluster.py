"""A Danube broker with its edge service, made with gRPC's C core and Google's protobuf.

It writes a batch when its number is above the topic's last one, and acknowledges it in any case.
--break-every N: after every N-th batch that it wrote the stream ends without an acknowledgement.
A line on standard input asks for what it has: `offset` records of batches, `sent` of SendMessage,
`outOfOrder` records that were not the next of their key, `reason` streams that were opened.
"""

import argparse
import asyncio
import json
import sys

import grpc
from danube.proto import DanubeApi_pb2 as api
from danube.proto import DanubeApi_pb2_grpc as services

from danube_edge import SERVICE, emit, messages


class Broker(services.DiscoveryServicer, services.ProducerServiceServicer):
    def __init__(self, options):
        self.options = options
        self.make = messages()
        self.url = ""
        self.numbers = {}
        self.next = {}
        self.batches = self.replicated = self.sent = self.wrong = self.streams = 0

    async def TopicLookup(self, request, context):
        return api.TopicLookupResponse(
            request_id=request.request_id, connect_url=self.url, broker_url=self.url)

    async def CreateProducer(self, request, context):
        return api.ProducerResponse(
            request_id=request.request_id, producer_id=7, producer_name=request.producer_name)

    def write(self, message):
        key, number = message.payload.decode().split(" ")
        self.wrong += int(number) != self.next.get(key, 0)
        self.next[key] = int(number) + 1

    async def SendMessage(self, request, context):
        self.write(request)
        self.sent += 1
        return api.MessageResponse(request_id=request.request_id)

    async def register(self, request, context):
        answer = self.make("Registered")(success=True, config_version=1)
        for topic in request.topics:
            answer.topics.add(topic_name=topic.topic_name, topic_created=True)
        return answer

    async def beat(self, request, context):
        return self.make("Beaten")(config_version=1)

    async def replicate(self, requests, context):
        self.streams += 1
        async for batch in requests:
            if batch.batch_last_offset > self.numbers.get(batch.topic_name, 0):
                self.numbers[batch.topic_name] = batch.batch_last_offset
                for message in batch.messages:
                    self.write(message)
                self.replicated += len(batch.messages)
                self.batches += 1
                every = self.options.break_every
                if every and self.batches % every == 0:
                    await context.abort(grpc.StatusCode.UNAVAILABLE, "it moves")
            yield self.make("Ack")(
                topic_name=batch.topic_name, acked_offset=batch.batch_last_offset)

    def edge_service(self):
        def decoded(name):
            return self.make(name).FromString

        def encoded(message):
            return message.SerializeToString()

        return grpc.method_handlers_generic_handler(SERVICE.strip("/"), {
            "RegisterEdge": grpc.unary_unary_rpc_method_handler(
                self.register, decoded("Register"), encoded),
            "EdgeHeartbeat": grpc.unary_unary_rpc_method_handler(
                self.beat, decoded("Heartbeat"), encoded),
            "ReplicateData": grpc.stream_stream_rpc_method_handler(
                self.replicate, decoded("Batch"), encoded),
        })


async def main(options):
    server = grpc.aio.server()
    broker = Broker(options)
    services.add_DiscoveryServicer_to_server(broker, server)
    services.add_ProducerServiceServicer_to_server(broker, server)
    server.add_generic_rpc_handlers((broker.edge_service(),))
    port = server.add_insecure_port(f"127.0.0.1:{options.port}")
    broker.url = f"http://127.0.0.1:{port}"
    await server.start()
    emit("listening", offset=port)
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while await reader.readline():
        emit("has", offset=broker.replicated, sent=broker.sent, outOfOrder=broker.wrong,
             reason=broker.streams)
    await server.stop(None)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--break-every", type=int, default=0)
    asyncio.run(main(parser.parse_args()))
