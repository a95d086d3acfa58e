"""UPS through NUT: power, battery and load, and events when the power goes or comes."""
