"""BLE sensors, tags and badges through BlueZ."""
