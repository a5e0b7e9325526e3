/** It is not known what is kept, or whether anything is. */
import { Data } from "effect"

export class Unreadable extends Data.TaggedError("Unreadable")<{
  /** The file, or whatever has its place. */
  readonly file: string
  readonly reason: string
  /** Nothing that this version keeps there: reading again would not help. */
  readonly isForeign?: boolean
}> {
  override readonly message = `${this.file} cannot be read: ${this.reason}`
}
