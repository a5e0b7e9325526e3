/**
 * Approvals of what has changed in the definitions of a server's tools (the option `pin`), with or without a running gateway.
 */
import { clean } from "../Text.js"

/** Why somebody who may not use all of its tools cannot approve them. */
export const notAllAllowed = (server: string): string =>
  `the tools of ${clean(server)} can only be approved as a whole, by somebody who may use all of them`

/** What an approval has done where what was approved could not be read, and nobody had seen the tools. */
export const forgotten = (server: string): string =>
  `${
    clean(server)
  }: what was approved could not be read and is removed; the tools that the server lists next count as approved`

/** That nothing of a server is compared. */
export const notPinned = (server: string): string =>
  `nothing of the tools of ${clean(server)} is remembered; give it the option pin: "warn" or "block"`
