/// Why a command cannot go on; the message is for the user.
struct DeviceError: Error, Equatable {
  let message: String
  let exitCode: Int32
}
