import Bytes
import CLinux

/// One completion as the kernel gave it.
struct KernelCompletion: BitwiseCopyable {
  let userData: UInt64
  let result: Int32
  let flags: UInt32

  /// Whether more completions of the same operation follow.
  var hasMore: Bool { flags & IORING_CQE_F_MORE != 0 }

  /// The provided buffer that holds the bytes.
  var bufferIndex: UInt32? {
    flags & IORING_CQE_F_BUFFER != 0 ? clinux_cqe_buffer(flags) : nil
  }
}

/// The two queues shared with the kernel: owner of the `io_uring` and of the memory that entries
/// name until they are handed over.
///
/// It belongs to the thread that made it: with IORING_SETUP_SINGLE_ISSUER others are refused.
@safe
struct KernelRing: ~Copyable {
  private let ring: UnsafeMutablePointer<io_uring>
  private let enterFlags: UInt32
  private let features: UInt32
  /// Addresses and lists of slices that entries name. The kernel reads them when it takes the
  /// entry (IORING_FEAT_SUBMIT_STABLE), so all of it is free again after a hand-over.
  var scratch: SubmissionScratch
  var counters = UringCounters()

  /// Ways to run completions, the cheapest first. The first needs Linux 6.1, the second 6.0.
  static let modes: [UInt32] = [
    IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN, IORING_SETUP_SINGLE_ISSUER, 0,
  ]

  /// A ring in the first of the modes that this kernel knows.
  init(limits: UringLimits, modes: [UInt32] = modes) throws(UringError) {
    let made = try unsafe Self.setUp(limits: limits, modes: modes)
    unsafe ring = unsafe made.ring
    features = unsafe made.features
    // One lookup less a call; a kernel that can't do it serves us by the plain number.
    let isRegistered = unsafe io_uring_register_ring_fd(made.ring) == 1
    enterFlags = isRegistered ? IORING_ENTER_REGISTERED_RING : 0
    scratch = SubmissionScratch(
      messages: Int(unsafe made.ring.pointee.sq.ring_entries), slices: 2_048)
    unsafe clinux_sq_lay_out(made.ring)
    var workers = (UInt32(limits.workerCount), UInt32(limits.workerCount))
    unsafe withUnsafeMutableBytes(of: &workers) { values in
      // Without the cap the kernel may start hundreds; it is a bound, not a need, so it may fail.
      _ = unsafe io_uring_register_iowq_max_workers(
        made.ring, values.baseAddress?.assumingMemoryBound(to: UInt32.self))
    }
  }

  deinit {
    unsafe io_uring_queue_exit(ring)
    unsafe ring.deallocate()
  }

  private static func setUp(
    limits: UringLimits, modes: [UInt32]
  ) throws(UringError) -> (ring: UnsafeMutablePointer<io_uring>, features: UInt32) {
    let ring = UnsafeMutablePointer<io_uring>.allocate(capacity: 1)
    unsafe ring.initialize(to: io_uring())
    let common =
      IORING_SETUP_SUBMIT_ALL | IORING_SETUP_CQSIZE | IORING_SETUP_CLAMP
      | IORING_SETUP_COOP_TASKRUN | IORING_SETUP_TASKRUN_FLAG
    var code: Int32 = 0
    for mode in modes {
      var parameters = io_uring_params()
      parameters.flags = common | mode
      parameters.cq_entries = UInt32(limits.completionEntries)
      code = unsafe -io_uring_queue_init_params(
        UInt32(limits.submissionEntries), ring, &parameters)
      if code == 0 { return unsafe (ring, parameters.features) }
      if code != EINVAL { break }
    }
    unsafe ring.deallocate()
    let call = code == EINVAL ? "IORING_SETUP_COOP_TASKRUN" : "io_uring_setup"
    throw UringError(call: call, code: code, sysctl: FileReading.ioUringDisabled())
  }

  /// Lets the kernel choose among the provided buffers of a group that lie at `memory`.
  func register(bufferRing memory: UInt64, entries: Int, group: UInt16) -> Int32 {
    var registration = io_uring_buf_reg()
    registration.ring_addr = memory
    registration.ring_entries = UInt32(entries)
    registration.bgid = group
    return unsafe io_uring_register_buf_ring(ring, &registration, 0)
  }

  /// The first of the features and operations we need that the kernel does not have, by name.
  func missingFeature() -> String? {
    let neededFeatures: [(bit: UInt32, name: String)] = [
      (IORING_FEAT_NODROP, "IORING_FEAT_NODROP"),
      (IORING_FEAT_SUBMIT_STABLE, "IORING_FEAT_SUBMIT_STABLE"),
      (IORING_FEAT_FAST_POLL, "IORING_FEAT_FAST_POLL"),
      (IORING_FEAT_EXT_ARG, "IORING_FEAT_EXT_ARG"),
    ]
    if let missing = neededFeatures.first(where: { features & $0.bit == 0 }) { return missing.name }
    guard let probe = unsafe io_uring_get_probe_ring(ring) else { return "IORING_REGISTER_PROBE" }
    defer { unsafe io_uring_free_probe(probe) }
    let needed: [(code: Int32, name: String)] = [
      (Int32(IORING_OP_ACCEPT.rawValue), "IORING_OP_ACCEPT"),
      (Int32(IORING_OP_CONNECT.rawValue), "IORING_OP_CONNECT"),
      (Int32(IORING_OP_RECV.rawValue), "IORING_OP_RECV"),
      (Int32(IORING_OP_SEND.rawValue), "IORING_OP_SEND"),
      (Int32(IORING_OP_SENDMSG.rawValue), "IORING_OP_SENDMSG"),
      (Int32(IORING_OP_ASYNC_CANCEL.rawValue), "IORING_OP_ASYNC_CANCEL"),
      (Int32(IORING_OP_CLOSE.rawValue), "IORING_OP_CLOSE"),
      (Int32(IORING_OP_READ.rawValue), "IORING_OP_READ"),
      (Int32(IORING_OP_POLL_ADD.rawValue), "IORING_OP_POLL_ADD"),
      (Int32(IORING_OP_OPENAT.rawValue), "IORING_OP_OPENAT"),
      (Int32(IORING_OP_WRITEV.rawValue), "IORING_OP_WRITEV"),
      (Int32(IORING_OP_FSYNC.rawValue), "IORING_OP_FSYNC"),
      (Int32(IORING_OP_FALLOCATE.rawValue), "IORING_OP_FALLOCATE"),
      (Int32(IORING_OP_UNLINKAT.rawValue), "IORING_OP_UNLINKAT"),
      (Int32(IORING_OP_RENAMEAT.rawValue), "IORING_OP_RENAMEAT"),
    ]
    return needed.first { unsafe io_uring_opcode_supported(probe, $0.code) == 0 }?.name
  }
}

extension KernelRing {
  /// Hands entries over and, with `minimum` > 0, waits for that many completions or for
  /// `nanoseconds`. Answers 0 or a negative error number: an interrupted wait and one that timed
  /// out are 0.
  @discardableResult
  mutating func enter(minimum: UInt32, nanoseconds: UInt64?) -> Int32 {
    let count = unsafe io_uring_sq_ready(ring)
    unsafe clinux_sq_publish(ring)
    var argument = io_uring_getevents_arg()
    var timeout = __kernel_timespec()
    if let nanoseconds {
      timeout.tv_sec = Int64(nanoseconds / 1_000_000_000)
      timeout.tv_nsec = Int64(nanoseconds % 1_000_000_000)
    }
    let answer = unsafe withUnsafePointer(to: timeout) { pointer in
      if nanoseconds != nil { argument.ts = UInt64(UInt(bitPattern: pointer)) }
      return unsafe clinux_enter(
        ring.pointee.enter_ring_fd, count, minimum, IORING_ENTER_GETEVENTS | enterFlags, &argument)
    }
    counters.enterCalls &+= 1
    let left = unsafe io_uring_sq_ready(ring)
    counters.entries &+= UInt64(count - left)
    if left == 0 { scratch.removeAll() }
    return answer >= 0 || answer == -ETIME || answer == -EINTR ? 0 : answer
  }

  /// Whether the kernel has to be called although nobody wants to wait.
  var wantsEnter: Bool {
    unsafe io_uring_sq_ready(ring) > 0
      || clinux_sq_flags(ring) & (IORING_SQ_CQ_OVERFLOW | IORING_SQ_TASKRUN) != 0
  }

  /// Whether a completion waits.
  var hasCompletion: Bool { unsafe clinux_cq_peek(ring) != nil }

  /// Takes the next completion that is there; nil when there is none.
  mutating func takeCompletion() -> KernelCompletion? {
    guard let entry = unsafe clinux_cq_peek(ring) else { return nil }
    let completion = unsafe KernelCompletion(
      userData: entry.pointee.user_data, result: entry.pointee.res, flags: entry.pointee.flags)
    unsafe io_uring_cq_advance(ring, 1)
    counters.completions &+= 1
    return completion
  }

  /// An empty entry; hands over what is queued when there is none.
  mutating func nextEntry() -> UnsafeMutablePointer<io_uring_sqe> {
    while true {
      if let entry = unsafe io_uring_get_sqe(ring) { return unsafe entry }
      handOver()
    }
  }

  private mutating func handOver() {
    let answer = enter(minimum: 0, nanoseconds: nil)
    precondition(answer != -EEXIST, "a ring is used by the thread that made it, and by no other")
    // The kernel takes nothing only for want of memory, which passes.
    if answer < 0 { sched_yield() }
  }

  /// Accepts connections until cancelled.
  mutating func accept(_ fileDescriptor: Int32, userData: UInt64) {
    unsafe clinux_prep_accept(nextEntry(), fileDescriptor, userData)
  }

  /// Receives into buffers of `group` until cancelled.
  mutating func receive(_ fileDescriptor: Int32, group: UInt16, userData: UInt64) {
    unsafe clinux_prep_receive(nextEntry(), fileDescriptor, group, userData)
  }

  /// Connects a socket.
  mutating func connect(_ fileDescriptor: Int32, to address: KernelAddress, userData: UInt64) {
    makeRoom(slices: 0)
    // The entry comes first: asking for it may hand over, which frees the scratch memory.
    let entry = unsafe nextEntry()
    unsafe clinux_prep_connect(
      entry, fileDescriptor, scratch.keep(address), address.byteCount, userData)
  }

  /// Sends one run of bytes.
  mutating func send(_ fileDescriptor: Int32, slice: MemorySlice, userData: UInt64) {
    unsafe clinux_prep_send(
      nextEntry(), fileDescriptor, slice.address, slice.count, userData)
  }

  /// Sends several runs of bytes, at most `UIO_MAXIOV` (1,024).
  mutating func send(_ fileDescriptor: Int32, slices: Span<MemorySlice>, userData: UInt64) {
    makeRoom(slices: slices.count)
    let entry = unsafe nextEntry()
    unsafe clinux_prep_gathered_send(entry, fileDescriptor, scratch.keep(slices), userData)
  }

  mutating func makeRoom(slices: Int) {
    while !scratch.hasRoom(slices: slices) { handOver() }
  }

  /// Cancels the operation that has `target`.
  mutating func cancel(_ target: UInt64, userData: UInt64) {
    unsafe clinux_prep_cancel(nextEntry(), target, 0, userData)
  }

  /// Cancels every operation there is.
  mutating func cancelAll(userData: UInt64) {
    unsafe clinux_prep_cancel(
      nextEntry(), 0, IORING_ASYNC_CANCEL_ANY | IORING_ASYNC_CANCEL_ALL, userData)
  }

  /// Closes a file descriptor.
  mutating func close(_ fileDescriptor: Int32, userData: UInt64) {
    unsafe clinux_prep_close(nextEntry(), fileDescriptor, userData)
  }

  /// Reads eight bytes that nobody looks at: an eventfd's count.
  mutating func readCount(_ fileDescriptor: Int32, userData: UInt64) {
    unsafe clinux_prep_read(nextEntry(), fileDescriptor, scratch.sink, 8, userData)
  }

  /// Completes once when the file descriptor is readable.
  mutating func pollReadable(_ fileDescriptor: Int32, userData: UInt64) {
    unsafe clinux_prep_poll(nextEntry(), fileDescriptor, userData)
  }
}
