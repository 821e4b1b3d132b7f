import Bytes
import CLinux
import IOPort

/// Memory that entries of one hand-over name: message headers, lists of slices, addresses, names.
/// It never moves, and all of it is reused after each hand-over.
@safe
struct SubmissionScratch: ~Copyable {
  private let messages: UnsafeMutablePointer<msghdr>
  private let slices: UnsafeMutablePointer<iovec>
  private let addresses: UnsafeMutablePointer<KernelAddress>
  private let names: UnsafeMutablePointer<FileName>
  /// Eight bytes that may be overwritten at any time.
  let sink: UnsafeMutablePointer<UInt64>
  private let messageCapacity: Int
  private let sliceCapacity: Int
  private var messageCount = 0
  private var sliceCount = 0
  private var addressCount = 0
  private var nameCount = 0

  /// Room for `messages` sends, as many addresses, and `slices` slices in all.
  init(messages: Int, slices: Int) {
    messageCapacity = messages
    sliceCapacity = slices
    unsafe self.messages = .allocate(capacity: messages)
    unsafe self.slices = .allocate(capacity: slices)
    unsafe addresses = .allocate(capacity: messages)
    unsafe names = .allocate(capacity: 2 * messages)
    unsafe sink = .allocate(capacity: 1)
    unsafe sink.initialize(to: 0)
  }

  deinit {
    unsafe messages.deallocate()
    unsafe slices.deallocate()
    unsafe addresses.deallocate()
    unsafe names.deallocate()
    unsafe sink.deallocate()
  }

  /// Whether one more send of `count` slices, one more address, and two more names find room.
  func hasRoom(slices count: Int) -> Bool {
    messageCount < messageCapacity && addressCount < messageCapacity
      && nameCount + 2 <= 2 * messageCapacity && sliceCount + count <= sliceCapacity
  }

  /// The header of a send of `list`.
  mutating func keep(_ list: Span<MemorySlice>) -> UnsafeMutablePointer<msghdr> {
    precondition(hasRoom(slices: list.count))
    let first = unsafe slices + sliceCount
    for index in list.indices {
      let slice = list[index]
      unsafe (first + index).initialize(
        to: iovec(iov_base: UnsafeMutableRawPointer(mutating: slice.address), iov_len: slice.count))
    }
    sliceCount += list.count
    let message = unsafe messages + messageCount
    var header = unsafe msghdr()
    unsafe header.msg_iov = unsafe first
    unsafe header.msg_iovlen = list.count
    unsafe message.initialize(to: header)
    messageCount += 1
    return unsafe message
  }

  /// A place for an address.
  mutating func keep(_ address: KernelAddress) -> UnsafeMutablePointer<KernelAddress> {
    precondition(hasRoom(slices: 0))
    let place = unsafe addresses + addressCount
    unsafe place.initialize(to: address)
    addressCount += 1
    return unsafe place
  }

  /// A place for a file's name, as a text that ends with a 0.
  mutating func keep(_ name: FileName) -> UnsafePointer<CChar> {
    precondition(nameCount < 2 * messageCapacity)
    let place = unsafe names + nameCount
    unsafe place.initialize(to: name)
    nameCount += 1
    return unsafe UnsafeRawPointer(place).assumingMemoryBound(to: CChar.self)
  }

  /// Everything was handed over.
  mutating func removeAll() {
    messageCount = 0
    sliceCount = 0
    addressCount = 0
    nameCount = 0
  }
}
