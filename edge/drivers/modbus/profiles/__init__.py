"""The device profiles that come with the gateway, one TOML file each; `catalogue` reads them."""
