/// What the command line asks for.
enum Command: Equatable {
  case publish(PublishOptions)
  case run(RunOptions)
  case verify(VerifyOptions)
  case help
}
