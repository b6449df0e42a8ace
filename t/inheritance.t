#!/usr/bin/perl

# Directives are inherited and merged as nginx does it: a level's own lines
# replace those of the level above.

use strict;
use warnings;

use lib 't/lib';
use AiProxyTest;
use Test::More;

needs_module();

my $up = Upstream->start(
    ok => { json => chat_answer('ok') },
    broken => { status => 503, json => { error => { message => 'x' } } },
    second => { json => chat_answer('second') },
    third => { json => chat_answer('third') },
);
my $gw = Gateway->start(
    http => zone() . join('', map { provider($_ => openai => $up->url($_)) }
            qw(ok broken second third)) . <<'EOF',
ai_proxy_model_map a http-a;
ai_proxy_model_map b http-b;
ai_proxy_fallback second;
EOF
    server => <<'EOF');
location /inherited/ { ai_proxy_pass ok; }
location /own/ {
    ai_proxy_model_map a location-a;
    ai_proxy_pass ok;
}
location /outer/ {
    ai_proxy_model_map a outer-a;
    location /outer/inner/ { ai_proxy_pass ok; }
    ai_proxy_pass ok;
}
location /not-inherited/ {
    ai_proxy_pass ok;
    location /not-inherited/inner/ { root %%DIR%%/html; }
}
location /fb-inherited/ { ai_proxy_pass broken; }
location /fb-own/ { ai_proxy_pass broken; ai_proxy_fallback third; }
location /if/ {
    if ($http_x_which = second) { ai_proxy_pass second; }
    ai_proxy_pass third;
}
location = /exact/v1/chat/completions { ai_proxy_pass ok; }
location ~ ^/regex/(\w+)/ { ai_proxy_pass ok; }
location /rewritten/ {
    rewrite ^/rewritten/(.*)$ /inherited/$1 last;
}
location @named { ai_proxy_pass ok; }
location /try/ { try_files /nonexistent @named; }
EOF

sub chat {
    my ($location, $model, @headers) = @_;
    $up->clear;
    return $gw->client->post("/$location/v1/chat/completions",
        chat_body(model => $model), headers => { @headers });
}
sub sent {
    my ($location, $model) = @_;
    my $reply = chat($location, $model);
    my $request = $up->last_request or return "status $reply->{status}";
    return decode($request->{body})->{model};
}

is(sent('inherited', 'a'), 'http-a', 'a map is inherited');
is(sent('own', 'a'), 'location-a', 'a level has its own');
is(sent('own', 'b'), 'b', 'and then none of the level above');
is(sent('outer', 'a'), 'outer-a', 'a location');
is(sent('outer/inner', 'a'), 'outer-a', 'and one inside it');

is(chat('not-inherited', 'a')->{status}, 200, 'ai_proxy_pass');
isnt(chat('not-inherited/inner', 'a')->{status}, 200,
    'is not inherited by a nested location');

is(Client::text(chat('fb-inherited', 'a')), 'second', 'a fallback too');
is(Client::text(chat('fb-own', 'a')), 'third', 'and its replacement');

is(Client::text(chat('if', 'a')), 'third', 'beside an if');
is(Client::text(chat('if', 'a', 'X-Which' => 'second')), 'second', 'in an if');

is(chat('exact', 'a')->{status}, 200, 'an exact location');
is(chat('regex/x', 'a')->{status}, 200, 'a regex location');
is(sent('rewritten', 'a'), 'http-a', 'after a rewrite');
is(chat('try', 'a')->{status}, 200, 'a named location by try_files');

done($gw, $up);
