module bursar.example/producer

go 1.19

require (
	github.com/rabbitmq/amqp091-go v1.5.0
	github.com/redis/go-redis/v9 v9.0.5
)
