"""What the agent can do: one file per node, plain functions of the state with ports as fields."""
