import { project } from "../../scripts/vitest/project.js"

export default project("@mcp-lifeline/state", { built: true })
