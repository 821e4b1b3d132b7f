/// A command line that can't be followed; the message says what is wrong with it.
struct ArgumentError: Error, Equatable {
  let message: String
}
