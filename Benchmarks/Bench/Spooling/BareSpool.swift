import Baseline
import Bytes

/// The spool's limits in C, as Swift calls them.
enum BareSpool {
  struct Appended {
    let records: Int
    let syncs: Int
    let systemCalls: Int
  }

  /// Appends records to one file, block by block, for so many seconds or until there are `count`.
  static func append(
    _ records: inout BenchRecords, to path: String, seconds: Double, count: Int = .max
  ) throws(BenchError) -> Appended {
    var result = baseline_spool_result()
    let code = unsafe baseline_spool_append(
      path, Self.records(&records), seconds, UInt64(count), &result)
    guard code == 0 else { throw .failed("the bare log can't write \(path): error \(code)") }
    return Appended(
      records: Int(result.records), syncs: Int(result.syncs),
      systemCalls: Int(result.system_calls))
  }

  /// Reads back what `append` wrote and compares it; how many records there were.
  static func replay(
    _ records: inout BenchRecords, from path: String
  ) throws(BenchError) -> Appended {
    var result = baseline_spool_result()
    let code = unsafe baseline_spool_replay(path, Self.records(&records), &result)
    guard code == 0 else { throw .failed("the bare log can't be read back: error \(code)") }
    return Appended(
      records: Int(result.records), syncs: 0, systemCalls: Int(result.system_calls))
  }

  /// The records where C finds them: it writes their numbers into them, as Swift does.
  private static func records(_ records: inout BenchRecords) -> baseline_spool_records {
    let slice = unsafe records.pool.slice(at: 0, length: records.pool.count)
    return unsafe baseline_spool_records(
      pool: UnsafeMutablePointer(mutating: slice.address?.assumingMemoryBound(to: UInt8.self)),
      count: UInt32(BenchRecords.poolCount), byte_count: UInt32(records.byteCount),
      number_offset: UInt32(records.numberOffset))
  }

  /// Reads the last bytes of every file of a folder, as little as telling what a log holds can
  /// take; how many files there were.
  static func readEnds(of folder: String) throws(BenchError) -> Int {
    let count = unsafe baseline_read_ends(folder)
    guard count >= 0 else { throw .failed("\(folder) can't be read: error \(-count)") }
    return Int(count)
  }

  /// Lets the kernel forget what it holds of a folder's files in memory.
  static func dropCache(of folder: String) { unsafe baseline_drop_cache(folder) }
}
