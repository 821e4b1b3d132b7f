"""The line between gateway and broker, which can be cut, and can fall silent.

The broker listens at 127.0.0.2 and tells clients to come there; on the way back that address is
replaced by the line's own, which is as long, so that nobody goes around it.
"""

import selectors
import socket
import struct


class Line:
    def __init__(self, port):
        self.port = port
        self.selector = selectors.DefaultSelector()
        self.listener = None
        self.pairs = {}  # socket -> (peer, bytes that wait for the peer)
        self.is_silent = False
        self.names = b"127.0.0.2:%d" % port, b"127.0.0.1:%d" % port

    def up(self):
        self.is_silent = False
        if self.listener is None:
            self.listener = socket.create_server(("127.0.0.1", self.port), backlog=64)
            self.selector.register(self.listener, selectors.EVENT_READ, "listener")

    def cut(self):
        if self.listener is not None:
            self.selector.unregister(self.listener)
            self.listener.close()
            self.listener = None
        for one in list(self.pairs):
            self.close(one)

    def close(self, one):
        """Ends a connection as a pulled cable and a reboot do: by a reset."""
        if one not in self.pairs:
            return
        for end in (one, self.pairs[one][0]):
            end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.selector.unregister(end)
            end.close()
        del self.pairs[self.pairs.pop(one)[0]]

    def accept(self):
        near, _ = self.listener.accept()
        far = socket.socket()
        try:
            far.connect(("127.0.0.2", self.port))
        except OSError:
            near.close()
            far.close()
            return
        for one, other in ((near, far), (far, near)):
            one.setblocking(False)
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.pairs[one] = [other, b""]
            self.selector.register(one, selectors.EVENT_READ, "near" if one is near else "far")

    def move(self, one, side):
        if one not in self.pairs:
            return
        try:
            received = one.recv(1 << 17)
        except BlockingIOError:
            return
        except OSError:
            return self.close(one)
        if not received:
            return self.close(one)
        if side == "far":
            received = received.replace(*self.names)
        peer = self.pairs[one][0]
        peer.setblocking(True)
        try:
            peer.sendall(received)
        except OSError:
            return self.close(one)
        peer.setblocking(False)

    def run(self, pipe):
        """The process: obeys "up", "cut", "silent" and "end"."""
        self.selector.register(pipe, selectors.EVENT_READ, "pipe")
        while True:
            if self.is_silent:
                ready = [(None, 0)] if pipe.poll(1) else []
            else:
                ready = self.selector.select(1)
            for key, _ in ready:
                if key is None or key.data == "pipe":
                    command = pipe.recv()
                    if command == "end":
                        return
                    if command == "silent":
                        self.is_silent = True
                        break
                    self.up() if command == "up" else self.cut()
                    pipe.send(command)
                elif key.data == "listener":
                    if self.listener is not None:
                        self.accept()
                else:
                    self.move(key.fileobj, key.data)


def run(pipe, port):
    Line(port).run(pipe)
