import Delivery
import IOPort
import Spool

extension Delivery {
  /// Answers a question about the spool.
  mutating func answer(_ question: SpoolDesk.Question, at now: Instant) -> SpoolDesk.Answer {
    guard let listing = spoolListing else { return .noSpool }
    do throws(SpoolChangeError) {
      switch question {
      case .listing: return .listing(listing)
      case .replay(let topic, let reader, let from):
        return .changed(try replay(topic, to: reader, from: from, at: now))
      case .drop(let topic, let end, let isTrial):
        return .changed(try dropSpooled(topic, before: end, isTrial: isTrial, at: now))
      }
    } catch {
      return .failed(error)
    }
  }
}
