import { project } from "../../vitest.shared.js"

export default project("@mcp-lifeline/transport-stdio", { built: true })
