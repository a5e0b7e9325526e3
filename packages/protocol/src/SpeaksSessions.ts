import { ConnectError } from "@mcp-lifeline/core"
import { Data } from "effect"
import * as Era from "./Era.js"

/** The server speaks the protocol with sessions: send `initialize`. */
export class SpeaksSessions extends Data.TaggedError("SpeaksSessions")<{
  /** Its answer to `server/discover`, in one line. */
  readonly answer: string
}> {}

/** The option `protocol` is 2026, and the server does not speak that revision. */
export const incompatible = (target: string, { answer }: SpeaksSessions): ConnectError =>
  new ConnectError({
    backend: "",
    reason: "incompatible",
    permanent: true,
    message:
      `${target}: the server does not speak protocol version ${Era.statelessVersion}, which the option protocol asks for` +
      ` (it answered ${answer} to server/discover); write protocol: "auto"`
  })
