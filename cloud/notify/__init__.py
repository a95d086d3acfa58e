"""How people are told: texts in their language, and the ways by which a message leaves the hub."""
