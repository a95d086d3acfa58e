"""Control as the hub sees it: the state that gateways tell, commands on their way, receipts."""
