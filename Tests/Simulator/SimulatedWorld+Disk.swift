import Bytes
import Glibc
import IOPort

// What becomes of work on files.
extension SimulatedWorld {
  /// The disk of a host.
  public func disk(of host: UInt32) -> SimulatedDisk {
    if let disk = disks[host] { return disk }
    let disk = SimulatedDisk(seed: seed &+ UInt64(host))
    disks[host] = disk
    return disk
  }

  /// Ends every process of a host and its power: ports there are dead, its disk keeps what was
  /// durable. New ports may be made at once.
  public func losePower(host: UInt32) {
    for node in nodes where node.host == host { kill(node.id) }
    disk(of: host).losePower()
  }

  func submit(_ request: DiskRequest) {
    let disk = request.file.disk
    request.file.underWay += 1
    request.node.diskRequests.append(request)
    var nanoseconds = disk.draw(in: disk.faults.latencyNanoseconds)
    if case .sync = request.work {
      nanoseconds = disk.draw(in: disk.faults.syncNanoseconds)
      if disk.happens(disk.faults.slowSyncPerMille) { nanoseconds *= 100 }
    }
    schedule(.disk(request), at: now.advanced(nanoseconds: UInt64(nanoseconds)))
  }

  /// The process is gone, but the kernel had the work: some of its writes come about.
  func abandonDiskRequests(of node: SimulatedNode) {
    for request in node.diskRequests {
      if case .write(let offset, _) = request.work, request.file.disk.draw(in: 0...1) == 0 {
        _ = write(request, at: offset)
      }
    }
    node.diskRequests.removeAll()
    node.openFiles.removeAll()
  }

  /// Work takes effect, and its owner is told.
  func operate(_ request: DiskRequest) {
    let node = request.node
    guard !node.isDead else { return }
    if !request.isUntouched { violation("memory changed under a write", by: node) }
    request.file.disk.willOperate()
    guard !node.isDead else { return }
    node.diskRequests.removeAll { $0 === request }
    let event = perform(request)
    request.file.disk.didOperate()
    guard !node.isDead else { return }
    request.file.underWay -= 1
    post(.file(event), token: request.token, to: node)
    closeIfIdle(request.file, node: node)
  }

  /// Closes a file when that was asked for and nothing is under way on it.
  func closeIfIdle(_ file: OpenFile, node: SimulatedNode) {
    guard file.underWay == 0, let token = file.closeToken,
      node.openFiles[file.descriptor.rawValue] === file
    else { return }
    node.openFiles[file.descriptor.rawValue] = nil
    node.release(file.descriptor)
    post(.closed, token: token, to: node)
  }

  private func perform(_ request: DiskRequest) -> FileEvent {
    switch request.work {
    case .open(let name, let mode): open(request, name, mode)
    case .allocate(let bytes): allocate(request, bytes)
    case .truncate(let bytes): truncate(request, bytes)
    case .write(let offset, _): write(request, at: offset)
    case .read(let offset, let memory): read(request, at: offset, into: memory)
    case .sync(let sequence): sync(request, upTo: sequence)
    case .remove(let name): remove(request, name)
    case .rename(let name, let newName): rename(request, name, to: newName)
    }
  }

  // MARK: Names

  private func directory(_ request: DiskRequest) -> SimulatedDirectory {
    guard case .directory(let directory) = request.file.target else {
      violation("a name is asked for in a file", by: request.node)
    }
    return directory
  }

  private func open(_ request: DiskRequest, _ name: FileName, _ mode: FileMode) -> FileEvent {
    let directory = directory(request)
    let disk = request.file.disk
    let file: SimulatedFile
    if let kind = disk.faults.closedFiles[name] { return .failed(IOError(kind)) }
    switch mode {
    case .read, .update:
      guard let existing = directory.files[name] else {
        return .failed(IOError(.notFound, code: ENOENT))
      }
      if mode == .update, disk.isReadOnly { return .failed(IOError(.readOnly, code: EROFS)) }
      file = existing
    case .create:
      if disk.isReadOnly { return .failed(IOError(.readOnly, code: EROFS)) }
      guard directory.files[name] == nil else {
        return .failed(IOError(.alreadyExists, code: EEXIST))
      }
      if disk.happens(disk.faults.noSpacePerMille) { return noSpace(disk) }
      file = SimulatedFile()
      directory.change(.add(name, file), sequence: disk.nextSequence())
    }
    guard let descriptor = request.node.takeDescriptor() else {
      return .failed(IOError(.resourcesExhausted, code: EMFILE))
    }
    request.node.openFiles[descriptor.rawValue] = OpenFile(
      descriptor: descriptor, target: .file(file, isWritable: mode != .read), disk: disk)
    return .opened(descriptor, bytes: UInt64(file.bytes))
  }

  private func remove(_ request: DiskRequest, _ name: FileName) -> FileEvent {
    let disk = request.file.disk
    if disk.isReadOnly { return .failed(IOError(.readOnly, code: EROFS)) }
    guard directory(request).files[name] != nil else {
      return .failed(IOError(.notFound, code: ENOENT))
    }
    directory(request).change(.remove(name), sequence: disk.nextSequence())
    return .done
  }

  private func rename(
    _ request: DiskRequest, _ name: FileName, to newName: FileName
  ) -> FileEvent {
    let disk = request.file.disk
    if disk.isReadOnly { return .failed(IOError(.readOnly, code: EROFS)) }
    guard let file = directory(request).files[name] else {
      return .failed(IOError(.notFound, code: ENOENT))
    }
    directory(request).change(
      .rename(name, to: newName, file), sequence: disk.nextSequence())
    return .done
  }

  // MARK: Content

  private func file(_ request: DiskRequest, toWrite: Bool) -> SimulatedFile {
    guard case .file(let file, let isWritable) = request.file.target else {
      violation("content is asked for of a directory", by: request.node)
    }
    if toWrite, !isWritable { violation("a write to a file opened to read", by: request.node) }
    return file
  }

  private func noSpace(_ disk: SimulatedDisk) -> FileEvent {
    disk.faultCounts.noSpace += 1
    return .failed(IOError(.noSpace, code: ENOSPC))
  }

  private func allocate(_ request: DiskRequest, _ bytes: Int) -> FileEvent {
    let disk = request.file.disk
    let file = file(request, toWrite: true)
    if disk.isReadOnly { return .failed(IOError(.readOnly, code: EROFS)) }
    let growth = max(bytes - file.bytes, 0)
    if disk.happens(disk.faults.noSpacePerMille) || growth > disk.capacityBytes - disk.usedBytes {
      return noSpace(disk)
    }
    file.grow(to: bytes, sequence: disk.nextSequence())
    return .done
  }

  private func truncate(_ request: DiskRequest, _ bytes: Int) -> FileEvent {
    if request.file.disk.isReadOnly { return .failed(IOError(.readOnly, code: EROFS)) }
    file(request, toWrite: true).truncate(
      to: bytes, sequence: request.file.disk.nextSequence())
    return .done
  }

  private func write(_ request: DiskRequest, at offset: Int) -> FileEvent {
    let disk = request.file.disk
    let file = file(request, toWrite: true)
    if disk.isReadOnly { return .failed(IOError(.readOnly, code: EROFS)) }
    var bytes = request.copy
    let room = max(disk.capacityBytes - disk.usedBytes, 0)
    if offset + bytes.count > file.bytes, offset + bytes.count - file.bytes > room {
      bytes = Array(bytes.prefix(max(file.bytes + room - offset, 0)))
      if bytes.isEmpty { return noSpace(disk) }
    }
    if disk.happens(disk.faults.noSpacePerMille) { return noSpace(disk) }
    if disk.happens(disk.faults.failedWritePerMille) {
      disk.faultCounts.failedWrites += 1
      let part = Array(bytes.prefix(disk.draw(in: 0...bytes.count)))
      if !part.isEmpty { file.write(part, at: offset, sequence: disk.nextSequence()) }
      return .failed(IOError(.deviceFailed, code: EIO))
    }
    if bytes.count > 1, disk.happens(disk.faults.shortPerMille) {
      disk.faultCounts.shortTransfers += 1
      bytes = Array(bytes.prefix(disk.draw(in: 1...bytes.count - 1)))
    }
    file.write(bytes, at: offset, sequence: disk.nextSequence())
    disk.count(written: bytes.count)
    return .transferred(bytes.count)
  }

  private func read(
    _ request: DiskRequest, at offset: Int, into memory: MutableMemorySlice
  ) -> FileEvent {
    let disk = request.file.disk
    let offsets = offset..<offset + memory.count
    if disk.happens(disk.faults.failedReadPerMille)
      || offsets.overlaps(disk.faults.unreadableOffsets)
    {
      disk.faultCounts.failedReads += 1
      return .failed(IOError(.deviceFailed, code: EIO))
    }
    var bytes = file(request, toWrite: false).read(at: offset, count: memory.count)
    if bytes.count > 1, disk.happens(disk.faults.shortPerMille) {
      disk.faultCounts.shortTransfers += 1
      bytes = bytes.prefix(disk.draw(in: 1...bytes.count - 1))
    }
    bytes.withUnsafeBytes { source in
      if let base = source.baseAddress {
        memory.address.copyMemory(from: base, byteCount: source.count)
      }
    }
    return .transferred(bytes.count)
  }

  private func sync(_ request: DiskRequest, upTo asked: UInt64) -> FileEvent {
    let disk = request.file.disk
    // What completed meanwhile may be made durable too, or may not.
    let sequence = disk.draw(in: 0...1) == 0 ? asked : disk.sequence
    let isFailing = disk.happens(disk.faults.failedSyncPerMille)
    let isLying = !isFailing && disk.happens(disk.faults.lyingSyncPerMille)
    switch request.file.target {
    case .directory(let directory):
      if !isFailing, !isLying { directory.sync(upTo: sequence) }
    case .file(let file, _):
      if isFailing || isLying { file.forget(upTo: sequence) } else { file.sync(upTo: sequence) }
    }
    if isFailing {
      disk.faultCounts.failedSyncs += 1
      return .failed(IOError(.deviceFailed, code: EIO))
    }
    if isLying { disk.faultCounts.lyingSyncs += 1 }
    disk.syncCount += 1
    return .done
  }
}
