"""Scene graphs as tools of language-model agents, over the Model Context Protocol (MCP)."""
