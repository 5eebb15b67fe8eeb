"""The pages for management: how stores did, what became of orders, what prices did, whether tills follow them."""
