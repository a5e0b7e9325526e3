import { project } from "../../scripts/vitest/project.js"

export default project("@mcp-lifeline/transport-http", { built: true })
