import { aiSdk } from "../rivals/aiSdk.mjs"

export const client = aiSdk("ai-sdk-1", "1", "https://v6.ai-sdk.dev/docs/ai-sdk-core/mcp-tools")
