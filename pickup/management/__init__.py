"""The pages for management: what prices did, whether tills follow them."""
