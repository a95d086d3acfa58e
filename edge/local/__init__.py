"""What the owner of the data folder may ask of a running gateway, through one socket in that folder."""
