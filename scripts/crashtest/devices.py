"""The devices of the crash test: MQTT clients and webhook posters that never forget an answer.

They live in a process of their own, which nobody kills. A message is a number of its client, and says so
in its payload: `@client.key.number.` and padding. It counts as acknowledged when its PUBACK or HTTP 2xx
was read, and then has to arrive. What was not acknowledged is sent again, in order, after each new
connection; what MQTT 5 refuses is given up. QoS 0 messages are never acknowledged.
"""

import collections
import errno
import os
import selectors
import socket
import struct
import time
from array import array

LANES = 20
KEYS = 2  # Of each client, so that no client writes to one lane alone.
QOS0_EVERY = 5
RETRY_SECONDS = 0.03
# What the payloads are padded with, so that the disk gets something to write: it does not compress.
NOISE = os.urandom(1 << 19).hex().encode()


def lane_of(client, key):
    return (client * KEYS + key) % LANES


class Tally:
    def __init__(self):
        self.sent = self.sent_qos0 = self.refused = self.connections = self.busy = 0
        self.faults = []


class Client:
    """A connection that is made again for ever."""

    def __init__(self, index, port, padding, tally, selector):
        self.index, self.port, self.tally, self.selector = index, port, tally, selector
        self.padding = padding
        self.socket, self.is_up, self.is_paused = None, False, True
        self.retry_at = 0.0
        self.number = 0
        self.output, self.input = b"", b""
        self.acknowledged = array("I")

    def connect(self):
        self.socket = socket.socket()
        self.socket.setblocking(False)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        code = self.socket.connect_ex(("127.0.0.1", self.port))
        if code not in (0, errno.EINPROGRESS):
            return self.drop()
        self.is_up, self.output, self.input = False, b"", b""
        self.interest = selectors.EVENT_READ | selectors.EVENT_WRITE
        self.selector.register(self.socket, self.interest, self)
        self.tally.connections += 1
        self.connected()

    def drop(self):
        if self.socket is not None:
            try:
                self.selector.unregister(self.socket)
            except KeyError:
                pass
            self.socket.close()
        self.socket, self.is_up = None, False
        self.retry_at = time.monotonic() + RETRY_SECONDS

    def ready(self, events):
        try:
            if events & selectors.EVENT_READ:
                received = self.socket.recv(1 << 16)
                if not received:
                    return self.drop()
                self.input += received
                self.take_input()
            self.pump()
        except OSError:
            self.drop()

    def pump(self):
        """Sends as much as the window and the socket take."""
        if self.socket is None:
            return
        try:
            if self.is_up and len(self.output) < 16384:
                self.fill()
            if self.output:
                try:
                    self.output = self.output[self.socket.send(self.output):]
                except BlockingIOError:
                    pass
            wanted = selectors.EVENT_READ | (selectors.EVENT_WRITE if self.output else 0)
            if wanted != self.interest:
                self.interest = wanted
                self.selector.modify(self.socket, wanted, self)
        except OSError:
            self.drop()

    def payload(self, number):
        place = (number * 7919 + self.index * 104729) % (len(NOISE) - self.padding)
        return b"@%d.%d.%d." % (self.index, number % KEYS, number) + NOISE[
            place:place + self.padding]


class MQTTClient(Client):
    def __init__(self, index, port, padding, tally, selector, version, window):
        super().__init__(index, port, padding, tally, selector)
        self.version, self.window = version, window
        self.waiting = collections.deque()  # (packet identifier, number), in the order sent
        self.packet_id = 0
        self.topics = []
        for key in range(KEYS):
            text = b"load/%d/c%dk%d" % (lane_of(index, key), index, key)
            self.topics.append(struct.pack(">H", len(text)) + text)

    def connected(self):
        name = b"device-%d" % self.index
        level, properties = (5, b"\x00") if self.version == 5 else (4, b"")
        body = b"\x00\x04MQTT" + bytes([level, 2, 0, 60]) + properties
        body += struct.pack(">H", len(name)) + name
        self.output += bytes([0x10, len(body)]) + body

    def packet(self, number, packet_id, is_repeated=False):
        body = self.topics[number % KEYS]
        if packet_id:
            body += struct.pack(">H", packet_id)
        if self.version == 5:
            body += b"\x00"
        body += self.payload(number)
        head = (0x32 if packet_id else 0x30) | (0x08 if is_repeated else 0)
        length = len(body)
        if length < 128:
            return bytes([head, length]) + body
        return bytes([head, length & 0x7F | 0x80, length >> 7]) + body

    def fill(self):
        if self.is_paused:
            return
        parts = []
        room = self.window - len(self.waiting)
        while room > 0 and len(parts) < 64:
            self.number += 1
            if self.number % QOS0_EVERY == 0:
                parts.append(self.packet(self.number, 0))
                self.tally.sent_qos0 += 1
                continue
            self.packet_id = self.packet_id % 65535 + 1
            self.waiting.append((self.packet_id, self.number))
            parts.append(self.packet(self.number, self.packet_id))
            self.tally.sent += 1
            room -= 1
        self.output += b"".join(parts)

    def take_input(self):
        data, place = self.input, 0
        while len(data) - place >= 2:
            end = place + 2 + data[place + 1]
            if data[place + 1] > 127 or len(data) < end:
                break  # Longer packets do not come to a client that subscribes to nothing.
            kind = data[place] >> 4
            if kind == 2:
                if data[place + 3] != 0:
                    return self.drop()
                self.is_up = True
                self.output += b"".join(
                    self.packet(number, packet_id, True) for packet_id, number in self.waiting)
            elif kind == 4:
                reason = data[place + 4] if data[place + 1] > 2 else 0
                self.answered(data[place + 2] << 8 | data[place + 3], reason)
            elif kind == 14:
                return self.drop()
            place = end
        self.input = data[place:]

    def answered(self, packet_id, reason):
        # [MQTT-4.6.0-2]: in the order of the PUBLISH packets.
        if not self.waiting or self.waiting[0][0] != packet_id:
            if len(self.tally.faults) < 20:
                self.tally.faults.append(
                    f"client {self.index}: PUBACK of {packet_id} when "
                    f"{self.waiting[0] if self.waiting else 'none'} was due")
            return
        _, number = self.waiting.popleft()
        if reason < 0x80:
            self.acknowledged.append(number)
        else:
            self.tally.refused += 1


class WebhookClient(Client):
    """One request at a time; without a 2xx the same one again, as docs/webhooks.md asks."""

    def __init__(self, index, port, padding, tally, selector):
        super().__init__(index, port, padding, tally, selector)
        self.is_waiting = self.is_open = False
        self.ready_at = 0.0

    @property
    def waiting(self):
        return [self.number] if self.is_open else []

    def connected(self):
        self.is_up, self.is_waiting = True, False

    def fill(self):
        if self.is_waiting or time.monotonic() < self.ready_at:
            return
        if not self.is_open:
            if self.is_paused:
                return
            self.number += 1
            self.is_open = True
            self.tally.sent += 1
        self.is_waiting = True
        key = self.number % KEYS
        body = self.payload(self.number)
        self.output += b"POST /hooks/%d/c%dk%d HTTP/1.1\r\nHost: gateway\r\n" % (
            lane_of(self.index, key), self.index, key
        ) + b"Content-Length: %d\r\n\r\n" % len(body) + body

    def take_input(self):
        head_end = self.input.find(b"\r\n\r\n")
        if head_end < 0:
            return
        head = self.input[:head_end].lower()
        place = head.find(b"content-length:")
        length = int(head[place + 15:].split(b"\r\n", 1)[0]) if place >= 0 else 0
        if len(self.input) < head_end + 4 + length:
            return
        self.input = self.input[head_end + 4 + length:]
        self.is_waiting = False
        if head.split(b" ", 2)[1].startswith(b"2"):
            self.acknowledged.append(self.number)
            self.is_open = False
        else:
            self.tally.busy += 1
            self.ready_at = time.monotonic() + 0.05
        if b"connection: close" in head:
            self.drop()


def run(pipe, options):
    """The process: obeys "go", "pause", "report" and "end"."""
    selector = selectors.DefaultSelector()
    tally = Tally()
    clients = [
        MQTTClient(index, options.mqtt_port, options.padding, tally, selector,
                   5 if index % 5 == 4 else 4, options.window)
        for index in range(options.clients)
    ] + [
        WebhookClient(options.clients + index, options.webhook_port, options.padding, tally, selector)
        for index in range(options.posters)
    ]
    selector.register(pipe, selectors.EVENT_READ, None)
    while True:
        now = time.monotonic()
        for client in clients:
            if client.socket is None:
                if now >= client.retry_at:
                    client.connect()
            elif not client.output:
                client.pump()
        for key, events in selector.select(0.01):
            if key.data is not None:
                key.data.ready(events)
                continue
            command = pipe.recv()
            if command == "end":
                return
            if command in ("go", "pause"):
                for client in clients:
                    client.is_paused = command == "pause"
            else:
                pipe.send(report(clients, tally))


def report(clients, tally):
    """What was acknowledged since the last report, and the numbers of the whole run."""
    acknowledged = []
    for client in clients:
        acknowledged.append(client.acknowledged)
        client.acknowledged = array("I")
    return {
        "acknowledged": acknowledged, "sent": tally.sent, "sent_qos0": tally.sent_qos0,
        "refused": tally.refused, "busy": tally.busy, "connections": tally.connections,
        "faults": tally.faults, "waiting": sum(len(client.waiting) for client in clients),
    }
