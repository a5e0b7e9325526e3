import { fileURLToPath } from "node:url"
import { project } from "../../vitest.shared.js"

export default project("mcp-lifeline", {
  globalSetup: fileURLToPath(new URL("test/support/build.ts", import.meta.url))
})
