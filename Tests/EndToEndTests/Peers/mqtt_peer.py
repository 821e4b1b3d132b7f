"""MQTT clients (paho-mqtt) that do what JSON lines on standard input tell them.

Events are JSON lines on standard output. One thread serves all clients, so that hundreds of
them cost little and the order of events is the order in which packets arrived.
"""

import argparse
import json
import os
import selectors
import socket
import sys

import paho.mqtt.client as mqtt
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode


def emit(event, **fields):
    sys.stdout.write(json.dumps({"event": event, **fields}) + "\n")
    sys.stdout.flush()


def reason_value(code):
    return code.value if hasattr(code, "value") else int(code)


def make_properties(packet, values):
    """MQTT 5 properties as paho names them; CorrelationData is text, UserProperty a list of pairs."""
    properties = Properties(packet)
    for name, value in values.items():
        if name == "CorrelationData":
            value = value.encode()
        elif name == "UserProperty":
            value = [tuple(pair) for pair in value]
        setattr(properties, name, value)
    return properties


class Device:
    """One MQTT connection with what it published and what was answered."""

    def __init__(self, peer, name, version, inflight, keepalive, port, will, clean, expiry):
        self.peer = peer
        self.name = name
        self.payloads = {}  # packet id -> payload, until answered
        self.sent_order = []  # packet ids in the order sent, until answered
        self.out_of_order = 0
        self.quiet = False
        self.flood_left = 0
        self.stream = None  # {"topic", "prefix", "next", "acknowledged"}
        protocol = mqtt.MQTTv5 if version == 5 else mqtt.MQTTv311
        self.client = mqtt.Client(
            mqtt.CallbackAPIVersion.VERSION2, client_id=name, protocol=protocol)
        self.client.max_inflight_messages_set(inflight)
        self.client.on_connect = self.on_connect
        self.client.on_publish = self.on_publish
        self.client.on_subscribe = self.on_subscribe
        self.client.on_disconnect = self.on_disconnect
        self.client.on_socket_open = lambda _c, _u, sock: peer.watch(sock, self)
        self.client.on_socket_close = lambda _c, _u, sock: peer.unwatch(sock)
        if will is not None:
            properties = will.pop("properties", None)
            if properties is not None:
                properties = make_properties(PacketTypes.WILLMESSAGE, properties)
            self.client.will_set(**will, properties=properties)
        more = {}
        if version == 5:
            more["clean_start"] = clean
            if expiry is not None:
                more["properties"] = make_properties(
                    PacketTypes.CONNECT, {"SessionExpiryInterval": expiry})
        self.client.connect("127.0.0.1", port, keepalive=keepalive, **more)

    def on_connect(self, _client, _userdata, flags, reason, properties):
        known = properties.json() if isinstance(properties, Properties) else {}
        emit("connected", client=self.name, reason=reason_value(reason), properties=known,
             session_present=bool(flags.session_present))

    def on_subscribe(self, _client, _userdata, _mid, reasons, _properties):
        emit("subscribed", client=self.name, reasons=[reason_value(r) for r in reasons])

    def on_disconnect(self, _client, _userdata, flags, reason, _properties):
        emit("disconnected", client=self.name, reason=reason_value(reason),
             from_server=bool(flags.is_disconnect_packet_from_server))
        if self.stream is not None:
            emit("streamed", client=self.name, sent=self.stream["next"],
                 acknowledged=self.stream["acknowledged"])
            self.stream = None

    def publish(self, topic, payload, qos, retain, properties=None):
        if properties is not None:
            properties = make_properties(PacketTypes.PUBLISH, properties)
        info = self.client.publish(topic, payload, qos, retain, properties)
        if qos > 0:
            self.payloads[info.mid] = payload
            self.sent_order.append(info.mid)

    def on_publish(self, _client, _userdata, mid, reason, _properties):
        if mid not in self.payloads:
            return  # QoS 0 has no answer: this only says that it left.
        payload = self.payloads.pop(mid)
        if self.sent_order[0] != mid:
            self.out_of_order += 1
        self.sent_order.remove(mid)
        if self.stream is not None:
            self.stream["acknowledged"].append(payload)
            self.fill_stream()
        elif self.quiet:
            self.flood_left -= 1
            if self.flood_left == 0:
                self.quiet = False
                emit("flooded", client=self.name, out_of_order=self.out_of_order)
        else:
            emit("published", client=self.name, payload=payload, reason=reason_value(reason))

    def fill_stream(self):
        while len(self.payloads) < self.stream["window"] and self.client.is_connected():
            payload = f'{self.stream["prefix"]} {self.stream["next"]}'
            self.stream["next"] += 1
            self.publish(self.stream["topic"], payload, 1, False)


class Peer:
    def __init__(self, port):
        self.port = port
        self.selector = selectors.DefaultSelector()
        self.devices = {}
        self.input = b""
        self.running = True
        os.set_blocking(0, False)
        self.selector.register(0, selectors.EVENT_READ, None)

    def watch(self, sock, device):
        self.selector.register(sock, selectors.EVENT_READ, device)

    def unwatch(self, sock):
        self.selector.unregister(sock)

    def run(self):
        while self.running:
            for key in list(self.selector.get_map().values()):
                if key.data is not None:
                    wanted = selectors.EVENT_READ
                    if key.data.client.want_write():
                        wanted |= selectors.EVENT_WRITE
                    if wanted != key.events:
                        self.selector.modify(key.fileobj, wanted, key.data)
            for key, ready in self.selector.select(0.5):
                if key.data is None:
                    self.read_commands()
                    continue
                if ready & selectors.EVENT_READ:
                    key.data.client.loop_read()
                if ready & selectors.EVENT_WRITE:
                    key.data.client.loop_write()
            for device in self.devices.values():
                device.client.loop_misc()

    def read_commands(self):
        received = os.read(0, 1 << 16)
        if not received:
            self.running = False  # The test is gone.
            return
        self.input += received
        *lines, self.input = self.input.split(b"\n")
        for line in lines:
            command = json.loads(line)
            getattr(self, "do_" + command.pop("do"))(**command)

    def do_connect(self, clients, version=5, inflight=1000, keepalive=60, will=None, clean=True,
                   expiry=None):
        for name in clients:
            self.devices[name] = Device(
                self, name, version, inflight, keepalive, self.port, will and dict(will), clean,
                expiry)

    def do_publish(self, client, topic, payload, qos=1, retain=False, properties=None):
        self.devices[client].publish(topic, payload, qos, retain, properties)

    def do_publish_each(self, client, topics, payload, qos=1):
        for topic in topics:
            self.devices[client].publish(topic, f"{payload} {topic}", qos, False)

    def do_flood(self, clients, count, topic, qos=1, padding=""):
        for name in clients:
            self.devices[name].quiet = True
            self.devices[name].flood_left = count
        for number in range(count):
            for name in clients:
                self.devices[name].publish(
                    topic.replace("CLIENT", name), f"{name} {number}{padding}", qos, False)

    def do_stream(self, client, topic, window=50):
        device = self.devices[client]
        device.stream = {
            "topic": topic, "prefix": client, "window": window, "next": 0, "acknowledged": []}
        device.fill_stream()

    def do_subscribe(self, client, topic, qos=1):
        self.devices[client].client.subscribe(topic, qos)

    def do_disconnect(self, client, reason=0):
        code = ReasonCode(PacketTypes.DISCONNECT, identifier=reason) if reason else None
        self.devices[client].client.disconnect(reasoncode=code)

    def do_abort(self, client):
        """Ends the connection without a word."""
        self.devices[client].client.socket().shutdown(socket.SHUT_RDWR)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    Peer(parser.parse_args().port).run()
