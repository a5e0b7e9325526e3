/**
 * What messages call the options that they tell the reader to give: a program may have flags for them.
 */
import { Context } from "effect"

export interface Names {
  /** The authorization server of the client. Default: `client.issuer`. */
  readonly issuer: string
  /** A login on another device. Default: `method "device"`. */
  readonly device: string
}

const defaults: Names = { issuer: "client.issuer", device: 'method "device"' }

export class OptionNames extends Context.Reference<OptionNames>()("@mcp-lifeline/sign-in/OptionNames", {
  defaultValue: () => defaults
}) {}
