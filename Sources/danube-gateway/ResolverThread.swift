import Gateway
import IOPort
import Synchronization
import Uring

/// Resolves host names in a thread of its own, started when there are any: resolving blocks, most
/// of all when the uplink is down, and main has to answer for the gateway's health meanwhile.
enum ResolverThread {
  private static let isRunning = Atomic<Bool>(false)

  /// Starts to resolve what delivery wants, unless that is under way.
  static func serve(_ gateway: Gateway) {
    guard !gateway.resolution.wanted.isEmpty else { return }
    guard !isRunning.exchange(true, ordering: .acquiringAndReleasing) else { return }
    do throws(ThreadError) {
      _ = try NamedThread(name: "resolver", running: Work(gateway: gateway))
    } catch {
      // No thread now: it is tried again at the next turn.
      isRunning.store(false, ordering: .releasing)
    }
  }

  private struct Work: ThreadBody {
    let gateway: Gateway

    consuming func run() {
      for host in gateway.resolution.wanted {
        var addresses: [SocketAddress] = []
        do throws(HostResolver.Failure) {
          addresses = try HostResolver.resolve(host: host.name, port: host.port)
        } catch {
          // No address: the uplink says so in its status, and asks again.
        }
        gateway.resolution.resolved(host, addresses: addresses)
      }
      // Before the bell, so that what delivery wants next finds no thread under way. Pairs with the
      // exchange in `serve`.
      isRunning.store(false, ordering: .releasing)
      if let bell = gateway.control.doorbell(of: .delivery) { Uring.ring(bell) }
    }
  }
}
