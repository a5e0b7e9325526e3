/** The command line makes no sense: exit code 2. `message` is one line that says what would. */
// An Error, and none of Effect's: help and mistakes of a command line are shown without loading Effect.
export class UsageError extends Error {
  readonly _tag = "UsageError"
  constructor({ message }: { readonly message: string }) {
    super(message)
  }
}
