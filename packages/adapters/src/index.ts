// Each framework has a path of its own (`@prewake/adapters/langchain`): this one would load them all.
export {};
