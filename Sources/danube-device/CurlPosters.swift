import CCurl

/// HTTP/1.1 clients of libcurl that post, each one request at a time on a connection that is kept;
/// all are served by the thread that calls `wait`.
@safe
struct CurlPosters: ~Copyable {
  /// What a post led to.
  enum Answer: Equatable {
    /// The status of the answer, and its Retry-After in seconds (0: none).
    case status(Int, retryAfterSeconds: Int)
    /// There was none; the text says why.
    case failed(String)
  }

  private let multi: UnsafeMutableRawPointer
  private let handles: [UnsafeMutableRawPointer]
  private let headers: UnsafeMutablePointer<curl_slist>?

  /// Makes a poster for each URL; nothing is sent yet.
  init(urls: [String], headers: [String]) throws(DeviceError) {
    let failure = DeviceError(
      message: "libcurl cannot be used", exitCode: ExitCode.unavailable)
    guard curl_global_init(Int(CURL_GLOBAL_DEFAULT)) == CURLE_OK,
      let multi = unsafe curl_multi_init()
    else { throw failure }
    var list: UnsafeMutablePointer<curl_slist>? = nil
    var handles: [UnsafeMutableRawPointer] = unsafe []
    // Otherwise it closes connections that the next posts would use.
    unsafe ccurl_multi_set_long(multi, CURLMOPT_MAXCONNECTS, urls.count + 16)
    for header in ["Content-Type: application/json"] + headers {
      guard let longer = unsafe curl_slist_append(list, header) else { throw failure }
      unsafe list = unsafe longer
    }
    for (number, url) in urls.enumerated() {
      guard let handle = unsafe curl_easy_init() else { throw failure }
      unsafe handles.append(handle)
      unsafe ccurl_set_string(handle, CURLOPT_URL, url)
      unsafe ccurl_set_headers(handle, list)
      unsafe ccurl_set_number(handle, number)
      unsafe ccurl_forget_body(handle)
      unsafe ccurl_set_string(handle, CURLOPT_USERAGENT, "danube-device")
      unsafe ccurl_set_long(handle, CURLOPT_HTTP_VERSION, Int(CURL_HTTP_VERSION_1_1))
      unsafe ccurl_set_long(handle, CURLOPT_NOSIGNAL, 1)
      unsafe ccurl_set_string(handle, CURLOPT_PROXY, "")
      unsafe ccurl_set_long(handle, CURLOPT_CONNECTTIMEOUT_MS, 5_000)
    }
    unsafe self.multi = unsafe multi
    unsafe self.headers = unsafe list
    unsafe self.handles = unsafe handles
  }

  deinit {
    for index in unsafe handles.indices {
      unsafe curl_multi_remove_handle(multi, handles[index])
      unsafe curl_easy_cleanup(handles[index])
    }
    unsafe curl_multi_cleanup(multi)
    unsafe curl_slist_free_all(headers)
    curl_global_cleanup()
  }

  /// Sends a body; the answer comes from `takeAnswers`. A poster has one post under way.
  mutating func post(_ poster: Int, body: [UInt8]) {
    let handle = unsafe handles[poster]
    unsafe ccurl_set_long(handle, CURLOPT_POSTFIELDSIZE, body.count)
    unsafe body.withUnsafeBytes { bytes in
      // The library copies it. It only reads, though its type does not say so.
      _ = unsafe ccurl_set_pointer(
        handle, CURLOPT_COPYPOSTFIELDS, UnsafeMutableRawPointer(mutating: bytes.baseAddress))
    }
    unsafe curl_multi_add_handle(multi, handle)
  }

  /// Waits until a connection has something to do, a signal comes or the time is over, and does it.
  mutating func wait(nanoseconds: UInt64) {
    var running: Int32 = 0
    unsafe curl_multi_perform(multi, &running)
    let milliseconds = Int32(clamping: (nanoseconds + 999_999) / 1_000_000)
    unsafe curl_multi_poll(multi, nil, 0, milliseconds, nil)
    unsafe curl_multi_perform(multi, &running)
  }

  /// The answers since the last call, each with its poster.
  mutating func takeAnswers() -> [(poster: Int, answer: Answer)] {
    var answers: [(poster: Int, answer: Answer)] = []
    var result = CURLE_OK
    while let handle = unsafe ccurl_next_ended(multi, &result) {
      let poster = unsafe ccurl_get_number(handle)
      if result == CURLE_OK {
        let status = unsafe ccurl_get_long(handle, CURLINFO_RESPONSE_CODE)
        let seconds = unsafe ccurl_get_retry_after(handle)
        answers.append((poster, .status(status, retryAfterSeconds: seconds)))
      } else {
        let text = unsafe curl_easy_strerror(result).map { unsafe String(cString: $0) }
        answers.append((poster, .failed(text ?? "error \(result.rawValue)")))
      }
      unsafe curl_multi_remove_handle(multi, handle)
    }
    return answers
  }
}
