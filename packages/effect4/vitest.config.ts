import { project } from "../../vitest.shared.js"

export default project("@mcp-lifeline/effect4", { built: true })
