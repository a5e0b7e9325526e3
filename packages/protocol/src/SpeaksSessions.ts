/**
 * That a server which was asked for the protocol without sessions speaks the one with.
 */
import { ConnectError } from "@mcp-lifeline/core"
import { Data } from "effect"
import * as Era from "./Era.js"

/** The server speaks the protocol with sessions: `initialize` is in order. */
export class SpeaksSessions extends Data.TaggedError("SpeaksSessions")<{
  /** What it answered to `server/discover`, in a line. */
  readonly answer: string
}> {}

/** The error of an attempt where the option `protocol` asks for 2026 and the server does not. */
export const incompatible = (target: string, { answer }: SpeaksSessions): ConnectError =>
  new ConnectError({
    backend: "",
    reason: "incompatible",
    permanent: true,
    message:
      `${target}: the server does not speak protocol version ${Era.statelessVersion}, which the option protocol asks for` +
      ` (it answered ${answer} to server/discover); write protocol: "auto"`
  })
