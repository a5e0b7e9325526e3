import { Context } from "effect"

/** What messages call the option `client.issuer`: a program may have a flag for it. */
export class IssuerOption extends Context.Reference<IssuerOption>()("@mcp-lifeline/sign-in/IssuerOption", {
  defaultValue: () => "client.issuer"
}) {}
