import type { Options } from "../../src/login/login.js"

/** Those of a login in a browser of which nothing else is said. */
export const loginOptions = (given: Partial<Options> & Pick<Options, "target">): Options => ({
  config: undefined,
  account: undefined,
  method: "browser",
  browser: undefined,
  client: {},
  scope: undefined,
  callbackPort: undefined,
  ...given
})
