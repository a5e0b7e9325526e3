import { clean } from "../text/Text.js"

export const notAllAllowed = (server: string): string =>
  `the tools of ${clean(server)} can only be approved as a whole, by somebody who may use all of them`

/** Where approvals could not be read, and nobody had seen the tools. */
export const forgotten = (server: string): string =>
  `${
    clean(server)
  }: what was approved could not be read and is removed; the tools that the server lists next count as approved`

export const notPinned = (server: string): string =>
  `nothing of the tools of ${clean(server)} is remembered; give it the option pin: "warn" or "block"`
