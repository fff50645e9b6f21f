"""What a shop asks: orders, carts and products, who buys again, what a customer costs and earns."""
