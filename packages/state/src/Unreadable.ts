/** Something is kept, but neither what it says is known, nor whether it says anything. */
import { Data } from "effect"

export class Unreadable extends Data.TaggedError("Unreadable")<{
  /** The file, or whatever has its place. */
  readonly file: string
  readonly reason: string
  /** It is nothing that this version keeps there: to read it again would not help. */
  readonly isForeign?: boolean
}> {
  override readonly message = `${this.file} cannot be read: ${this.reason}`
}
