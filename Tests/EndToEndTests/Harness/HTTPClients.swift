import Foundation

/// curl, as people and scripts use it.
struct Curl {
  /// What curl was told, after its own options.
  let arguments: [String]

  /// An answer, or 0 when there was none.
  struct Answer {
    var status = 0
    var fields: [String: String] = [:]
    var body = ""
  }

  init(_ arguments: String...) { self.arguments = arguments }

  /// Runs it; the answer is the last one it saw.
  func run(_ url: String) throws -> Answer {
    let process = try ChildProcess(
      "curl \(url)",
      ["/usr/bin/curl", "--silent", "--include", "--noproxy", "*", "--max-time", "20"] + arguments
        + [url])
    try process.wait()
    return Self.answers(process.output).last ?? Answer()
  }

  /// Heads and the last body of what `--include` printed.
  private static func answers(_ output: String) -> [Answer] {
    var answers: [Answer] = []
    var rest = Substring(output)
    while rest.hasPrefix("HTTP/"), let end = rest.range(of: "\r\n\r\n") {
      var answer = Answer()
      let lines = rest[..<end.lowerBound].components(separatedBy: "\r\n")
      answer.status = Int(lines[0].split(separator: " ")[1]) ?? 0
      for line in lines.dropFirst() {
        let parts = line.split(separator: ": ", maxSplits: 1).map(String.init)
        answer.fields[parts[0]] = parts.count == 2 ? parts[1] : ""
      }
      rest = rest[end.upperBound...]
      answer.body = String(rest)
      answers.append(answer)
    }
    return answers
  }
}

/// A load generator for HTTP/1.1.
enum HTTPLoad {
  /// wrk for some seconds; how many requests were answered, and how many failed or got no 2xx.
  static func wrk(
    _ url: String, seconds: Int, connections: Int, pipelined: Int, in folder: TemporaryFolder
  ) throws -> (answered: Int, failed: Int) {
    let script = try folder.write(
      """
      wrk.method = "POST"
      wrk.body = string.rep("w", 100)
      local number = 0
      function request()
        local all = {}
        for i = 1, \(pipelined) do
          number = number + 1
          all[i] = wrk.format(nil, wrk.path .. number % 50)
        end
        return table.concat(all)
      end
      function done(summary, latency, requests)
        local errors = summary.errors
        io.write(string.format("result %d %d\\n", summary.requests, errors.status
          + errors.connect + errors.read + errors.write + errors.timeout))
      end
      """, to: "wrk.lua")
    let process = try ChildProcess(
      "wrk",
      [
        "/usr/bin/wrk", "--threads", "1", "--connections", "\(connections)", "--duration",
        "\(seconds)s", "--script", script, url,
      ])
    try process.wait(seconds: 60)
    let words = process.output.split(separator: "\n").last?.split(separator: " ") ?? []
    guard words.count == 3, words[0] == "result", let answered = Int(words[1]),
      let failed = Int(words[2])
    else { throw EndToEndError("wrk: \(process.output) \(process.errorOutput)") }
    return (answered, failed)
  }

  /// h2load by HTTP/1.1; how many requests were answered with 2xx.
  static func h2load(
    _ url: String, requests: Int, connections: Int, body: String
  ) throws -> Int {
    let process = try ChildProcess(
      "h2load",
      [
        "/usr/bin/h2load", "--h1", "-n", "\(requests)", "-c", "\(connections)", "-d", body, url,
      ])
    try process.wait(seconds: 60)
    let line = process.output.split(separator: "\n").first { $0.hasPrefix("status codes: ") }
    guard let number = line?.split(separator: " ").dropFirst(2).first.flatMap({ Int($0) }) else {
      throw EndToEndError("h2load: \(process.output) \(process.errorOutput)")
    }
    return number
  }
}

/// haproxy in front of a gateway, forwarding as it usually does.
final class Haproxy {
  let port: Int
  private let folder = try? TemporaryFolder()
  private let process: ChildProcess

  init(to webhookPort: Int) throws {
    port = try RawSocket.freePorts(1)[0]
    guard let folder else { throw EndToEndError("no folder for haproxy") }
    let path = try folder.write(
      """
      global
        nbthread 1
      defaults
        mode http
        timeout connect 5s
        timeout client 20s
        timeout server 20s
        option forwardfor
        http-reuse always
      listen webhooks
        bind 127.0.0.1:\(port)
        server gateway 127.0.0.1:\(webhookPort)

      """, to: "haproxy.cfg")
    process = try ChildProcess("haproxy", ["/usr/sbin/haproxy", "-db", "-f", path])
    _ = try Deadline().wait(for: "haproxy") { [port, process] () -> RawSocket? in
      if let end = process.poll() {
        throw EndToEndError("haproxy ended (\(end)): \(process.errorOutput)")
      }
      return try? RawSocket(port: port)
    }
  }
}
